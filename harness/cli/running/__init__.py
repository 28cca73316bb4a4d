"""What commands share that send a load or look at runs."""
