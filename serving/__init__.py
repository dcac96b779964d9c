"""What we tell others: scores, the list, reasons, the command line and the prediction service."""
