"""Other ways from MQTT into TimescaleDB, each as its users run it, and the floors that nothing can go below.

Each module is a program: it takes MQTT_URL and DATABASE_URL from the environment and runs until it is ended.
"""
