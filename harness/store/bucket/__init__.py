"""Runs in an S3 bucket, laid out as in a local results folder: `s3://BUCKET/PREFIX/RUN/FILE`."""
