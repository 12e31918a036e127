"""IDE: the backbone learns to classify the training identities, before MPN's own training.

Zheng, Zhang, Sun, Chandraker, Yang, Tian: "Person Re-identification in the Wild", CVPR 2017. MPN starts
from "the IDE model trained on each respective database" (its section 5.1).

Where both papers are silent we follow what MPN's authors published: global average pooling, a 512-wide layer with batch
norm, leaky ReLU of slope 0.1 and dropout 0.5, a classifier. Its schedule is published nowhere; ours is PCB's epochs
with MPN's learning rate, number of images in a batch and augmentation. The batches hold 48 persons, not MPN's six: on
Market-1501, with the laptop recipe, six at a time left the loss at chance, 6.6, for a whole epoch; 48 bring its mean to
5.6 in the first and 3.6 in the second.
"""

from torch import Tensor, nn

from partreid import backbones
from partreid.errors import positive
from partreid.inputs.batch import Batch
from partreid.losses.identity import smoothed_cross_entropy
from partreid.methods.base import Learner


class IDE(Learner):
    """embedding: width of the layer before the classifier. dropout: its probability."""

    def __init__(self, *, backbone: str, identities: int, embedding: int, dropout: float):
        super().__init__()
        self.backbone = backbones.build(backbone)
        classifier = nn.Linear(positive(embedding, "embedding"), identities)
        nn.init.normal_(classifier.weight, std=0.001)
        nn.init.zeros_(classifier.bias)
        self.head = nn.Sequential(
            nn.Linear(self.backbone.channels, embedding),
            nn.BatchNorm1d(embedding),
            nn.LeakyReLU(0.1),
            nn.Dropout(dropout),
            classifier,
        )
        self.classifiers = {"identity": 1}

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        pooled = self.feature_map(batch.images).mean((2, 3))  # (B, C)
        return {"identity": smoothed_cross_entropy(self.head(pooled), batch.pid, 0)}
