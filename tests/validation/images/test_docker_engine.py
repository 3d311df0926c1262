"""The tests' own engine: real, shared, and gone afterwards."""

from __future__ import annotations

import docker


def test_image_has_a_python_with_pip_and_pytest(
    docker_client: docker.DockerClient, docker_image: str
) -> None:
    for command in (["/usr/bin/python3", "-m", "pytest", "--version"], ["pip", "--version"]):
        argv = command if command[0] != "pip" else ["python3", "-m", *command]
        output = docker_client.containers.run(
            docker_image, argv, network_mode="none", user="65534:65534", remove=True
        )
        assert output.startswith((b"pytest ", b"pip "))
