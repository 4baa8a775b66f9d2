"""What is new, as it comes: server-sent events and the WebSocket, resumable and bounded for slow clients."""
