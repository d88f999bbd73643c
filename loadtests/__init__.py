"""The load test, for Locust: ``locust -f loadtests/locustfile.py``."""
