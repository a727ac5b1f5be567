"""Training steps with TensorFlow; several devices and machines by tf.distribute."""

from __future__ import annotations

import json
import os

import keras
import numpy as np
import tensorflow as tf

from ..cluster import Cluster
from .engine import Engine, dropout_seeds, dropout_state
from .fused_batch_norm import with_fused_batch_norms


class TensorFlowEngine(Engine):
    """One process alone, or with all its GPUs (MirroredStrategy), or one of several processes
    (MultiWorkerMirroredStrategy)."""

    backend_errors = (tf.errors.OpError,)

    def __init__(self, cluster: Cluster | None):
        gpus = tf.config.list_physical_devices("GPU")
        if cluster is not None:
            os.environ["TF_CONFIG"] = json.dumps(
                {
                    "cluster": {"worker": list(cluster.hosts)},
                    "task": {"type": "worker", "index": cluster.index},
                }
            )
            self._strategy = tf.distribute.MultiWorkerMirroredStrategy()
            self.process_index, self.process_count = cluster.index, len(cluster.hosts)
        elif len(gpus) > 1 or len(tf.config.list_logical_devices("CPU")) > 1:
            self._strategy = tf.distribute.MirroredStrategy(
                [device.name for device in tf.config.list_logical_devices("GPU" if gpus else "CPU")]
            )
        else:
            self._strategy = tf.distribute.get_strategy()
        self.replicas = self._strategy.num_replicas_in_sync
        # XLA is several times slower than plain kernels for this network on CPUs.
        self._jit = bool(gpus) and self.replicas == 1
        # The fused batch norm runs on one thread, Keras's operations on all.
        self._fuse = not gpus and self.replicas == 1 and (os.cpu_count() or 1) <= 4

    def scope(self):
        return self._strategy.scope()

    def prepare(self, model, loss, seed):
        self._seed = seed
        self._seeds = dropout_seeds(model)
        if self.replicas > 1:
            for layer in model.layers:
                if isinstance(layer, keras.layers.BatchNormalization):
                    layer.synchronized = True
        computed = with_fused_batch_norms(model) if self._fuse else model
        optimizer, share = model.optimizer, 1.0 / self.replicas
        clip_norm = getattr(optimizer, "inner_optimizer", optimizer).global_clipnorm

        def replica_step(images, labels, stop):
            with tf.GradientTape() as tape:
                outputs = computed(images, training=True)
                loss_value = loss(labels, outputs)
                # The optimizer sums the replicas' gradients.
                total = (loss_value + sum(model.losses)) * share
                total = optimizer.scale_loss(total)
            gradients = tape.gradient(total, model.trainable_variables)
            if clip_norm and self.replicas > 1:
                # Keras would clip each replica's share, and then sum them.
                context = tf.distribute.get_replica_context()
                gradients = context.all_reduce("SUM", gradients)
                limit = optimizer.scale_loss(tf.constant(clip_norm))
                gradients, _ = tf.clip_by_global_norm(gradients, limit)
                gradients = [gradient * share for gradient in gradients]
            optimizer.apply_gradients(zip(gradients, model.trainable_variables))
            return loss_value, tf.identity(stop)  # of each replica

        @tf.function(jit_compile=self._jit, autograph=False)
        def step(images, labels, stop):
            loss_value, stop = self._strategy.run(replica_step, (images, labels, stop))
            return (
                self._strategy.reduce("MEAN", loss_value, axis=None),
                self._strategy.reduce("SUM", stop, axis=None),
            )

        self._step = step

    def step(self, step, images, labels, stop):
        for index, state in enumerate(self._seeds):
            state.assign(dropout_state(self._seed, index, step))
        return self._step(*(self._shares(x) for x in (images, labels)), tf.constant(float(stop)))

    def _shares(self, array):
        """This process's share of a batch, split over its devices."""
        local = self.replicas // self.process_count
        if local == 1:
            return tf.constant(array)
        parts = np.split(array, local)
        return self._strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(parts[context.replica_id_in_sync_group % local])
        )

    def result(self, handle):
        loss, stop = handle
        return float(loss), bool(stop > 0)

    def sync(self):
        pass  # the steps work on the model's own variables

    def labeller(self, model):
        @tf.function(reduce_retracing=True, autograph=False)
        def label(images):
            return tf.argmax(model(images, training=False), axis=-1, output_type=tf.int32)

        return lambda images: label(tf.constant(images)).numpy()

    def sum(self, array):
        if self.process_count == 1:
            return array

        @tf.function
        def total():
            return self._strategy.run(
                lambda: tf.distribute.get_replica_context().all_reduce(
                    "SUM", tf.constant(array) if self._first_local() else tf.zeros_like(array)
                )
            )

        return self._strategy.experimental_local_results(total())[0].numpy()

    def _first_local(self) -> bool:
        local = self.replicas // self.process_count
        return tf.distribute.get_replica_context().replica_id_in_sync_group % local == 0
