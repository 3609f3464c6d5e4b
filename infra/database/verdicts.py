"""What an operator says of a transaction goes to the source, as a label like any other.

From there it takes the way of every change: into silver, into gold and to the models.
"""

from __future__ import annotations

import pymysql

from finlake.errors import FinlakeError, UsageProblem
from infra.database.schema import connect
from infra.settings import Settings

__all__ = ["judge"]


def judge(settings: Settings, transaction: int, *, fraud: bool) -> None:
    """Label a transaction as fraud or as genuine; the last word counts.

    Raises:
        UsageProblem: no user that may judge is set.
        ComponentMissing: the source cannot be reached.
        FinlakeError: the source refuses the label, with its reason.
    """
    if settings.source_review_url is None:
        raise UsageProblem("setting FINLAKE_SOURCE_REVIEW_URL: not set; run `finlake up` first")
    with connect(settings, settings.source_review_url) as connection:
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    "INSERT INTO fraud_labels (transaction_id, label) VALUES (%s, %s)"
                    " ON DUPLICATE KEY UPDATE label = VALUES(label)",
                    (transaction, "Yes" if fraud else "No"),
                )
            connection.commit()
        except pymysql.MySQLError as error:
            raise FinlakeError(
                f"source table fraud_labels: transaction {transaction} cannot be labelled"
                f" ({error.args[-1]}); give the user of FINLAKE_SOURCE_REVIEW_URL the rights"
                " SELECT, INSERT and UPDATE on that table"
            ) from None
