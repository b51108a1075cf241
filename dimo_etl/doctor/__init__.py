"""What has to be in order before days can be brought, looked at one by one: `dimo-etl doctor`."""
