"""The doors: GraphQL over HTTP and WebSocket, pages, the command line, settings."""
