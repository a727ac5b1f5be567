"""Topics that stand beside an image topic: compressed images, camera_info."""


def sibling_topic(node, name, derived):
    """`name` where a remapping of the node names it itself, else `derived`: a topic to subscribe.

    As in image_transport, siblings follow a remapped image topic by themselves, so `derived` is
    made of the resolved one. A remapping of the sibling goes before that.
    """
    remapped = node.resolve_topic_name(name) != node.resolve_topic_name(name, only_expand=True)
    return name if remapped else derived
