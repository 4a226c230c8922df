"""What all tests share: a cache of datasets of their own, so that neither an earlier run nor the
user's has a say.
"""

import atexit
import os
import shutil
import tempfile

# Before anything imports datasets; the processes that tests start inherit it.
os.environ["HF_DATASETS_CACHE"] = tempfile.mkdtemp(prefix="imagenet-ao-tests-")
atexit.register(shutil.rmtree, os.environ["HF_DATASETS_CACHE"], ignore_errors=True)
