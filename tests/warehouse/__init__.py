"""Tests of the views, their publication and the reader, on small lakes written by hand."""
