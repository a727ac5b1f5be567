"""`shuffleseg rebalance`: take back a part of what class weights did, without training."""

import dataclasses
import json
import os

HELP = "take back a part of a training's class weights, for tighter outlines of rare classes"
_UNDONE = "class_weights_undone"


def add_arguments(parser):
    parser.add_argument("folder", metavar="RUN", help="folder of a training with class weights")
    parser.add_argument(
        "--undo",
        type=float,
        required=True,
        metavar="SHARE",
        help="0 leaves the network as it is, 1 labels as if all classes had weighed the same",
    )
    parser.add_argument("--output", required=True, metavar="RUN", help="run folder to write")


def run(args) -> int:
    """A network whose loss weighs class c by w learns logits that are ln w higher than those of
    the classes' true shares (Menon et al., arXiv:2007.07314, section 3), so that rare classes
    spill over their outlines. The classifier's biases can give back a part of that."""
    import numpy as np

    from shuffleseg_core.errors import UserError, needs_extra
    from shuffleseg_core.keras_backend import choose_keras_backend
    from shuffleseg_core.trained_files import WEIGHTS
    from shuffleseg_core.user_path import user_path

    from .class_weights import enet_class_weights
    from .run_folder import RunFolder

    if not 0 <= args.undo <= 1:
        raise UserError(f"--undo {args.undo:g}: give 0 to 1")
    choose_keras_backend()
    try:
        import keras  # noqa: F401

        from shuffleseg_core.import_weights.layer_weights import CLASSIFIER
        from shuffleseg_core.models.trained_network import TrainedNetwork
        from shuffleseg_core.models.weights_file import save_weights
    except (ImportError, ValueError) as error:
        raise needs_extra("this needs Keras and a backend", error) from error
    source, target = RunFolder(user_path(args.folder)), RunFolder(user_path(args.output))
    network = TrainedNetwork.load_record(source.path)
    if target.path.exists() and not (target.path.is_dir() and not os.listdir(target.path)):
        raise UserError(f"{target.path}: is there already; give a new folder as --output")
    if _UNDONE in network.training:
        raise UserError(f"{source.path}: is rebalanced already; give the folder of the training")
    try:
        pixels = json.loads(source.class_pixels.read_text(encoding="utf-8"))
        counts = np.array([pixels[name] for name in network.label_map.names], float)
        if not (np.isfinite(counts).all() and (counts >= 0).all()):
            raise ValueError("counts that are none")
    except OSError as error:
        raise UserError(
            f"{source.class_pixels}: cannot be read: {error.strerror}; only trainings with class "
            "weights can be rebalanced"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{source.class_pixels}: damaged ({error}); train anew") from error
    model = network.build()
    network.load_weights(model, source.weights)
    classifier = model.get_layer(CLASSIFIER)
    kernel, bias = classifier.get_weights()
    shift = args.undo * np.log(enet_class_weights(counts))
    classifier.set_weights([kernel, (bias - shift + shift.mean()).astype(bias.dtype)])
    about = {**network.training, _UNDONE: args.undo}
    try:
        target.path.mkdir(parents=True, exist_ok=True)
        save_weights(model, target.path / WEIGHTS)
        dataclasses.replace(network, training=about).save_record(target.path)
    except OSError as error:
        raise UserError(f"{target.path}: cannot be written: {error.strerror}") from error
    print(f"{target.weights}: class weights undone by {args.undo:g}")
    print(f"next: shuffleseg evaluate {args.output} --root DIR --split val")
    return 0
