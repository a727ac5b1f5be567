"""The "poly" learning rate with a slow start (equation 2 and section 3.2)."""

from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable("shuffleseg")
class PolySchedule(keras.optimizers.schedules.LearningRateSchedule):
    """initial_rate · (1 − step / total_steps) ** power, with a constant rate before it.

    Args:
        initial_rate: rate at step 0 of the polynomial.
        total_steps: step at which the rate reaches 0.
        power: the paper takes 0.9.
        slow_start_steps, slow_start_rate: the first steps use this rate instead
            (186 steps at 1e-5 in the paper's last stage).
    """

    def __init__(
        self, initial_rate, total_steps, power=0.9, slow_start_steps=0, slow_start_rate=1e-5
    ):
        self.initial_rate = initial_rate
        self.total_steps = total_steps
        self.power = power
        self.slow_start_steps = slow_start_steps
        self.slow_start_rate = slow_start_rate

    def __call__(self, step):
        step = ops.cast(step, "float32")
        left = ops.maximum(1.0 - step / self.total_steps, 0.0)
        rate = self.initial_rate * ops.power(left, self.power)
        return ops.where(step < self.slow_start_steps, self.slow_start_rate, rate)

    def get_config(self):
        return {
            "initial_rate": self.initial_rate,
            "total_steps": self.total_steps,
            "power": self.power,
            "slow_start_steps": self.slow_start_steps,
            "slow_start_rate": self.slow_start_rate,
        }
