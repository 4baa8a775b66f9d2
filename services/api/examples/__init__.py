"""Examples for the OpenAPI document: one city, one meter, one burst; the tests hold each against its schema.

`placing` says which example belongs to which model and operation. Rooms may use an example; examples use no room but
those that write a text form from one.
"""
