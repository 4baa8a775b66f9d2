"""The only home of SQL: migrations, named queries, repositories that return the domain's frozen types, the batch feed.

Every statement of the project that reads or writes the database is in this package. It decides nothing about
the domain: what an event does to an alert or what a reading may hold is asked of `services.domain`.
"""
