-- Run once by the image when the volume is new: the role of the services, which is no superuser, and its database.
\getenv password APPLICATION_PASSWORD
CREATE ROLE citygauge LOGIN NOSUPERUSER PASSWORD :'password';
-- Not from template1: TimescaleDB's workers may be connected to it.
CREATE DATABASE citygauge OWNER citygauge TEMPLATE template0;
REVOKE ALL ON DATABASE citygauge FROM PUBLIC;
\connect citygauge
CREATE EXTENSION IF NOT EXISTS timescaledb;
