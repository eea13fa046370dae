"""World models: dream what the camera will see."""
