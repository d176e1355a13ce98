"""What `spark-submit` ships to a cluster: our code, a Python with Horovod inside, Delta's jars."""
