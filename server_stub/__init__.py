"""The receiver: RMA cases, enrolment of units, intake and verification of bundles, receipts, and the case page."""
