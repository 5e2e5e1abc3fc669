"""What the load process is made of. Imported by the locustfile only: it lives on gevent."""
