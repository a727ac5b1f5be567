"""Training steps with JAX; several devices and machines by Keras's DataParallel."""

from __future__ import annotations

import contextlib

import jax
import jax.numpy as jnp
import keras
import numpy as np

from ..cluster import Cluster
from .engine import Engine, dropout_seeds, dropout_state


class JaxEngine(Engine):
    """All devices of all processes run one program, each on its share of the batch."""

    backend_errors = (jax.errors.JaxRuntimeError,)

    def __init__(self, cluster: Cluster | None):
        if cluster is not None:
            jax.config.update("jax_cpu_collectives_implementation", "gloo")
            # Two programs at a time would mix up their messages.
            jax.config.update("jax_cpu_enable_async_dispatch", False)
            keras.distribution.initialize(
                ",".join(cluster.hosts), len(cluster.hosts), cluster.index
            )
        self.process_index, self.process_count = jax.process_index(), jax.process_count()
        devices = keras.distribution.list_devices()
        self.replicas = len(devices)
        self._state = None
        self._distribution = None
        if self.replicas > 1:
            self._distribution = keras.distribution.DataParallel(
                devices=devices, auto_shard_dataset=False
            )
        keras.distribution.set_distribution(self._distribution)

    def prepare(self, model, loss, seed):
        self._model = model
        optimizer = model.optimizer
        variables = model.non_trainable_variables
        places = [
            next(i for i, variable in enumerate(variables) if variable is state)
            for state in dropout_seeds(model)
        ]

        def train_step(state, step, images, labels, stop):
            trainable, others, optimizer_state = state
            others = list(others)
            for index, place in enumerate(places):
                others[place] = jnp.asarray(
                    dropout_state(seed, index, step), dtype=others[place].dtype
                )

            def objective(trainable):
                outputs, new_others, losses = model.stateless_call(
                    trainable, others, images, training=True, return_losses=True
                )
                loss_value = loss(labels, outputs)
                mapping = list(zip(optimizer.variables, optimizer_state))
                with keras.StatelessScope(state_mapping=mapping):
                    total = optimizer.scale_loss(loss_value + sum(losses))
                return total, (loss_value, new_others)

            gradients, (loss_value, others) = jax.grad(objective, has_aux=True)(trainable)
            trainable, optimizer_state = optimizer.stateless_apply(
                optimizer_state, gradients, trainable
            )
            return (trainable, others, optimizer_state), loss_value, jnp.sum(stop)

        self._step = jax.jit(train_step, donate_argnums=0)
        # Copies, since a step gives its input's memory away.
        self._state = jax.tree.map(
            jnp.copy, tuple([v.value for v in group] for group in self._variables())
        )

    def _variables(self):
        model = self._model
        return model.trainable_variables, model.non_trainable_variables, model.optimizer.variables

    def step(self, step, images, labels, stop):
        local = self.replicas // self.process_count
        stops = np.full(local, float(stop), np.float32)
        self._state, loss, stop = self._step(
            self._state, np.int32(step), *(self._distribute(x) for x in (images, labels, stops))
        )
        return loss, stop

    def _distribute(self, array: np.ndarray):
        if self._distribution is None:
            return array
        shape = (len(array) * self.process_count, *array.shape[1:])
        layout = self._distribution.get_data_layout(shape).backend_layout
        return jax.make_array_from_process_local_data(layout, array)

    def result(self, handle):
        loss, stop = handle
        return float(loss), float(stop) > 0

    def sync(self):
        for variables, values in zip(self._variables(), self._state):
            for variable, value in zip(variables, values):
                # A copy, since the next step gives the value's memory away.
                variable.assign(jnp.copy(value))

    @contextlib.contextmanager
    def local_scope(self):
        keras.distribution.set_distribution(None)
        try:
            yield
        finally:
            keras.distribution.set_distribution(self._distribution)

    def labeller(self, model):
        @jax.jit
        def label(trainable, others, images):
            logits, _ = model.stateless_call(trainable, others, images, training=False)
            return jnp.argmax(logits, axis=-1)

        def call(images):
            groups = (model.trainable_variables, model.non_trainable_variables)
            return np.asarray(label(*([v.value for v in group] for group in groups), images))

        return call

    def sum(self, array):
        if self.process_count == 1:
            return array
        from jax.experimental.multihost_utils import process_allgather

        jax.block_until_ready(self._state)
        # As two halves, since JAX computes with 32 bits.
        parts = np.stack([array >> 32, array & 0xFFFFFFFF]).astype(np.uint32)
        high, low = np.asarray(process_allgather(parts)).astype(np.int64).sum(0)
        return (high << 32) + low
