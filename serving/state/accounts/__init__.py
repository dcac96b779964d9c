"""Accounts of people, their sessions, their passwords, and the pace of attempts to sign in."""
