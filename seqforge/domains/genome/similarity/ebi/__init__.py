"""Searching at EMBL-EBI, through its Job Dispatcher REST service; sequences leave the machine."""
