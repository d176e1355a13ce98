"""What an exit code of ringlake means to Airflow. Needs no Airflow."""

from ringlake.base.outcomes import RETRY_EXIT_CODES, Outcome, outcome_of

__all__ = ["RETRY_EXIT_CODES", "Outcome", "outcome_of"]
