"""The human body as the tools and labels name it: keypoints, parsing classes, OpenPose's channels."""
