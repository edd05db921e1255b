#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Debian's pytest with nothing of the caller's Python.
set -eu
cd "$(dirname "$0")/../container"
n=$#
while [ "$n" -gt 0 ]; do # paths may be given from the top
	word=$1
	shift
	set -- "$@" "${word#tests/container/}"
	n=$((n - 1))
done
exec env -u PYTHONPATH -u PYTHONHOME -u PYTEST_ADDOPTS PYTHONDONTWRITEBYTECODE=1 \
	/usr/bin/python3 -m pytest -c pytest.ini "$@"
