"""Every door to the outside, one each: HTTP with its guard, processes, browser, Prometheus."""
