"""The demo: node and player in a real ROS graph, watched, measured and pictured."""
