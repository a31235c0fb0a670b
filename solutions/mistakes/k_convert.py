"""Known answers to `k-convert`: wrong ones with their questions, and right ones.

`see` names the place where the mistake is known from: a letter and number of the course's list
of mistakes, or an issue in which it was reported.
"""

from labsupport.authoring.catalogue import mistake, variant

DEFAULTS = {
    "torch.nn.BatchNorm2d": {"momentum": 0.1, "eps": 1e-5},
    "flax.linen.BatchNorm": {"momentum": 0.99, "epsilon": 1e-5},
    "mxnet.npx.batch_norm": {"momentum": 0.9, "eps": 1e-3},
}
KERAS = {"momentum": 0.99, "eps": 1e-3}


@variant("the lesson's")
def right(layer, settings):
    if layer == "tf.compat.v1.nn.dropout":
        return {"rate": 1 - settings["keep_prob"]}
    if layer.startswith("torch.nn.Linear"):
        return {"units": settings["out_features"], "use_bias": False}
    settings = {**DEFAULTS[layer], **settings}
    return {
        "axis": -1 if layer.startswith("flax") else 1,
        "momentum": 1 - settings["momentum"] if layer.startswith("torch") else settings["momentum"],
        "epsilon": settings["epsilon"] if "epsilon" in settings else settings["eps"],
    }


@variant("get with defaults, axes counted otherwise, center and scale spelled out")
def with_get(layer, settings):
    if "keep_prob" in settings:
        return dict(rate=1.0 - settings.get("keep_prob", 1.0))
    if "out_features" in settings:
        return dict(units=settings["out_features"], use_bias=0)
    found = dict(center=True, scale=True)
    if "torch" in layer:
        momentum, epsilon = 1 - settings.get("momentum", 0.1), settings.get("eps", 1e-5)
        return found | dict(axis=-3, momentum=momentum, epsilon=epsilon)
    if "flax" in layer:
        momentum, epsilon = settings.get("momentum", 0.99), settings.get("epsilon", 1e-5)
        return found | dict(axis=3, momentum=momentum, epsilon=epsilon)
    momentum, epsilon = settings.get("momentum", 0.9), settings.get("eps", 1e-3)
    return found | dict(axis=-3, momentum=momentum, epsilon=epsilon)


def is_norm(layer):
    return layer in DEFAULTS


@mistake(
    "momentum-copied",
    "PyTorch's momentum is copied as it is; there it weighs the new value",
    "After one step with PyTorch's 0.1, how much of the old mean is left? And with 0.1 in Keras?",
    see="B29; huggingface/transformers#19454",
)
def momentum_copied(layer, settings):
    found = right(layer, settings)
    if layer == "torch.nn.BatchNorm2d":
        found["momentum"] = settings.get("momentum", 0.1)
    return found


@mistake(
    "all-inverted",
    "Every momentum is turned into 1 − momentum; only PyTorch's weighs the new value",
    "What does Flax's momentum of 0.99 multiply: the old mean or the new one?",
    see="B29, once too often",
)
def all_inverted(layer, settings):
    found = right(layer, settings)
    if is_norm(layer) and not layer.startswith("torch"):
        found["momentum"] = 1 - found["momentum"]
    return found


@mistake(
    "epsilon-lost",
    "ε is left at Keras's default",
    "Which ε does your Keras layer add, and which one did the other layer add?",
    see="huggingface/transformers#19454",
)
def epsilon_lost(layer, settings):
    found = right(layer, settings)
    found.pop("epsilon", None)
    return found


@mistake(
    "called-eps",
    "Keras knows no argument `eps`",
    "What is ε called in Keras's signature?",
    see="the name in PyTorch",
)
def called_eps(layer, settings):
    found = right(layer, settings)
    if "epsilon" in found:
        found["eps"] = found.pop("epsilon")
    return found


@mistake(
    "axis-forgotten",
    "The channels are taken to be last; in PyTorch and MXNet they are on axis 1",
    "What is the shape of a batch of images in PyTorch, and which axis does Keras normalize by "
    "default?",
    see="E; the default axis",
)
def axis_forgotten(layer, settings):
    found = right(layer, settings)
    found.pop("axis", None)
    return found


@mistake(
    "axis-one-everywhere",
    "The channels are taken to be on axis 1 in Flax too; there they are last",
    "What is the default of `axis` in Flax?",
    see="E; the default axis",
)
def axis_one_everywhere(layer, settings):
    found = right(layer, settings)
    return found | {"axis": 1} if is_norm(layer) else found


@mistake(
    "keras-defaults",
    "What is not given is left to Keras, whose defaults are others",
    "What are momentum and ε of that framework's layer when nobody says anything?",
    see="own",
)
def keras_defaults(layer, settings):
    found = right(layer, settings)
    if "momentum" not in settings:
        found.pop("momentum", None)
        found.pop("epsilon", None)
    return found


@mistake(
    "all-or-nothing",
    "The defaults hold only where nothing at all is given; with one setting alone the other is "
    "missing",
    "What does `settings or defaults` give for a `settings` that holds momentum and no ε?",
    see="settings = settings or {…}, as for a mutable default",
)
def all_or_nothing(layer, settings):
    if not is_norm(layer):
        return right(layer, settings)
    settings = settings or DEFAULTS[layer]
    epsilon = settings["epsilon" if layer.startswith("flax") else "eps"]
    momentum = settings["momentum"]
    if layer.startswith("torch"):
        momentum = 1 - momentum
    return {"axis": right(layer, {})["axis"], "momentum": momentum, "epsilon": epsilon}


@mistake(
    "affine-off",
    "Your batch norm has no γ and β; that of the other framework has",
    "What does PyTorch's batch norm learn when nobody says `affine=False`?",
    see="center=False, scale=False added to be on the safe side",
)
def affine_off(layer, settings):
    found = right(layer, settings)
    return found | {"center": False, "scale": False} if is_norm(layer) else found


@mistake(
    "inverted-default",
    "What is not given is taken for Keras's momentum of 0.99, and turned round",
    "Which framework's default do you put in where nothing is given?",
    see="defaults of one framework read by the rule of another",
)
def inverted_default(layer, settings):
    found = right(layer, settings)
    if layer == "torch.nn.BatchNorm2d" and "momentum" not in settings:
        found["momentum"] = 1 - 0.99
    return found


@mistake(
    "keep-copied",
    "The probability of keeping is handed on as the probability of dropping",
    "With keep_prob 0.8, which share of the units is set to zero? And with rate 0.8?",
    see="H84; hunkim/DeepLearningZeroToAll#204",
)
def keep_copied(layer, settings):
    return {"rate": settings["keep_prob"]} if "keep_prob" in settings else right(layer, settings)


@mistake(
    "keep-as-name",
    "Keras's Dropout knows no `keep_prob`",
    "What is the argument of `keras.layers.Dropout` called, and what does it count?",
    see="H84",
)
def keep_as_name(layer, settings):
    return dict(settings) if "keep_prob" in settings else right(layer, settings)


@mistake(
    "epsilon-overlooked",
    "The ε that is given is overlooked, and the default taken",
    "Under which name do PyTorch and MXNet keep their ε?",
    see="the name in PyTorch",
)
def epsilon_overlooked(layer, settings):
    found = right(layer, settings)
    if "eps" in settings:
        found["epsilon"] = DEFAULTS[layer]["eps"]
    return found


@mistake(
    "flax-epsilon",
    "Flax's ε is taken to be Keras's where nobody gives it",
    "Flax's momentum is Keras's, old weight and default alike. Is its ε?",
    see="two defaults out of three are alike",
)
def flax_epsilon(layer, settings):
    found = right(layer, settings)
    if layer.startswith("flax"):
        found["epsilon"] = settings.get("epsilon", 1e-3)
    return found


@mistake(
    "bias-kept",
    "The bias stays; batch norm takes it out again, so it is a parameter for nothing",
    "What is left of a number that is added to every row of a feature, once the feature's mean is "
    "subtracted? How large is its gradient?",
    see="G70",
)
def bias_kept(layer, settings):
    if "out_features" in settings:
        return {"units": settings["out_features"]}
    return right(layer, settings)


@variant("with a name, and arguments that say what Keras does anyway")
def spelled_out(layer, settings):
    found = right(layer, settings)
    if "units" in found:
        return found | dict(name="dense", activation="linear", kernel_initializer="glorot_uniform")
    return found | dict(name="other", seed=None) if "rate" in found else found


@variant("MXNet's γ left out: nobody has said `fix_gamma=False`, so it stays 1")
def fixed_gamma(layer, settings):
    found = right(layer, settings)
    return found | {"scale": False} if layer.startswith("mxnet") else found
