#!/usr/bin/env bash
# The first boot of an instance: Python, a virtual environment, the program, its unit.
#
# Needs these variables; the templates write them above this:
#   ARTEFACTS   s3://BUCKET/PREFIX with wheels/ (kcl_py and all it needs, and what app/requirements.txt asks for,
#               if there is one), app/ and kcl@.service
#   APP_NAME    the application
#   PROCESSOR   as in kcl run MODULE:THING
#   PROCESSES   how many
#   SETTINGS    more lines NAME=VALUE for its environment, KCL_STREAM among them
# May be run again. Needs no package index: all wheels come from ARTEFACTS.
set -euo pipefail

: "${ARTEFACTS:?}" "${APP_NAME:?}" "${PROCESSOR:?}" "${PROCESSES:?}" "${SETTINGS:?}"
home=/srv/kcl

# Sets `python` to the newest that is there of those that kcl_py knows, and that can make environments: Debian's
# own cannot until that is installed.
find_python() {
    for python in python3.13 python3.12 python3.11; do
        if "${python}" -c 'import ensurepip, venv' 2>/dev/null; then return 0; fi
    done
    return 1
}

if ! find_python || ! command -v aws >/dev/null; then
    if command -v dnf >/dev/null; then
        dnf install -y -q python3.12
    else
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv awscli
    fi
    find_python || {
        echo "no Python 3.11, 3.12 or 3.13 to be had; use an image that has one" >&2
        exit 1
    }
fi

mkdir -p "${home}/artefacts" /etc/kcl
aws s3 sync --only-show-errors --delete "${ARTEFACTS}" "${home}/artefacts"
"${python}" -m venv --clear "${home}/venv"
packages=('kcl_py[cli]')
if [ -f "${home}/artefacts/app/requirements.txt" ]; then
    packages+=(-r "${home}/artefacts/app/requirements.txt")
fi
"${home}/venv/bin/pip" install -q --no-index --find-links "${home}/artefacts/wheels" "${packages[@]}"
rm -rf "${home}/app"
cp -r "${home}/artefacts/app" "${home}/app"

# The unit runs as nobody in particular, and has to read all of this. Its settings are read by systemd, as root.
chmod -R a+rX "${home}"
install -m 0600 /dev/null "/etc/kcl/${APP_NAME}.env"
{
    printf '%s\n' "PROCESSOR=${PROCESSOR}" "PROCESSES=${PROCESSES}" "KCL_APP_NAME=${APP_NAME}"
    printf '%s\n' "${SETTINGS}"
} >"/etc/kcl/${APP_NAME}.env"
install -m 0644 "${home}/artefacts/kcl@.service" /etc/systemd/system/kcl@.service
systemctl daemon-reload
systemctl enable --now "kcl@${APP_NAME}.service"
