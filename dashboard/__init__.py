"""The live dashboard: Streamlit pages over the gold tables, and nothing else."""
