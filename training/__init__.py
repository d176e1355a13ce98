"""The torch side of ringlake: sample plan, readers, launch, strategies, the loop; no Spark on a rank."""
