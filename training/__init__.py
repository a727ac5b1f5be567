"""Training of shuffleseg's networks; installed as the package `shuffleseg_training`."""
