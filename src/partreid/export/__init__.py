"""Networks that leave the project: ONNX, checked against torch, and in int8 (the extra `partreid[export]`)."""
