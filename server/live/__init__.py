"""The live side of a show: life cycle, roles, moderation, chat and the viewer WebSocket."""
