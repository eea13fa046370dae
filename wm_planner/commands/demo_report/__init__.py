"""What a demo leaves behind besides its bag: a video, plots, a page. Needs the bag, no ROS."""
