"""Before anything is deployed."""
