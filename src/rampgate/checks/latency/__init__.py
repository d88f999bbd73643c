"""The probe of [[endpoints]]: an open model of requests, and what is counted of them."""
