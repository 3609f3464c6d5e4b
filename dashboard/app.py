"""Entry point: ``finlake dashboard``, or ``streamlit run dashboard/app.py``."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboard import access
from dashboard.views import (
    alerts,
    cards,
    categories,
    customers,
    keys,
    live,
    merchants,
    models,
    money,
    pipeline,
    quality,
    reports,
)

_HERE = Path(__file__).parent

# A picture of our own: a named icon would be fetched from the icons' makers.
st.set_page_config(page_title="FinLake", page_icon=str(_HERE / "icon.svg"), layout="wide")
st.html(_HERE / "style.css")
pages = st.navigation(
    [
        st.Page(live.show, title="Live", icon=":material/monitoring:", default=True),
        st.Page(
            alerts.show,
            title="Fraud alerts",
            icon=":material/notification_important:",
            url_path="alerts",
        ),
        st.Page(customers.show, title="Customers", icon=":material/group:", url_path="customers"),
        st.Page(money.show, title="My money", icon=":material/savings:", url_path="money"),
        st.Page(cards.show, title="Cards", icon=":material/credit_card:", url_path="cards"),
        st.Page(merchants.show, title="Merchants", icon=":material/store:", url_path="merchants"),
        st.Page(
            categories.show, title="Categories", icon=":material/category:", url_path="categories"
        ),
        st.Page(models.show, title="Models", icon=":material/psychology:", url_path="models"),
        st.Page(quality.show, title="Quality", icon=":material/rule:", url_path="quality"),
        st.Page(reports.show, title="Reports", icon=":material/description:", url_path="reports"),
        st.Page(pipeline.show, title="Pipeline", icon=":material/lan:", url_path="pipeline"),
        *(
            [st.Page(keys.show, title="API keys", icon=":material/key:", url_path="keys")]
            if access.may("admin")
            else []
        ),
    ],
    position="top" if access.role() else "hidden",
)
access.keep()
if access.role():
    pages.run()
else:
    access.ask()
