"""Names of the files that hold a trained network; known without Keras."""

RECORD = "model.json"
WEIGHTS = "model.weights.h5"
