"""What training and sampling are made of; knows no domain."""
