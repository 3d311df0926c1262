#!/bin/sh
# Make the image of the throughput measurement without a network in any container:
#
#     sh benchmarks/throughput_image.sh BASE_IMAGE TAG [REQUIREMENTS]
#
# BASE_IMAGE has python3 (CPython 3.11) with the module venv. The wheels are fetched by this
# machine's python3.11 and lie in the image under /opt/env, a virtual environment.
set -eu
base=$1 tag=$2 requirements=${3:-$(dirname "$0")/throughput_requirements.txt}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m pip install --quiet --no-deps --target "$folder/site" --requirement "$requirements"
cat > "$folder/Dockerfile" <<DOCKERFILE
FROM $base
RUN python3 -m venv --without-pip /opt/env
COPY site /opt/env/lib/python3.11/site-packages
DOCKERFILE
docker build --quiet --network none --tag "$tag" "$folder"
