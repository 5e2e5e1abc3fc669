"""The parts of the load process, which runs on gevent. Imported only by the locustfile."""
