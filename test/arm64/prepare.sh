#!/usr/bin/env bash
# Fills a folder with what runs this package's runtime as on a 64-bit ARM board: a Debian's Python and
# LiteRT, numpy and OpenCV of aarch64, qemu and a cross compiler. Changes nothing outside that folder
# and needs no privileges, but a Debian whose sources have arm64 (Ubuntu keeps it elsewhere).
#   prepare.sh FOLDER PYTHON CHECKOUT
set -euo pipefail
folder=$1 python=$2 checkout=$3
command -v apt-get dpkg-deb >/dev/null || { echo "test-arm64 needs Debian's apt-get and dpkg-deb" >&2; exit 2; }
mkdir -p "$folder"
cd "$folder"
pins=$(cksum "$checkout/constraints.txt")
if [ "$(cat .prepared 2>/dev/null)" != "$pins" ]; then
  rm -rf root tools site arm host
  mkdir -p {arm,host}/{state/lists,cache/archives}/partial root tools
  touch arm/status
  # apt-get with its state in a folder of ours: apt KIND STATUS ARGUMENTS...
  apt() {
    local kind=$1 status=$2
    shift 2
    apt-get -qq -y -o Dir::State="$PWD/$kind/state" -o Dir::State::status="$status" \
      -o Dir::Cache="$PWD/$kind/cache" -o Debug::NoLocking=1 -o APT::Sandbox::User= \
      -o APT::Install-Recommends=0 "$@"
  }
  echo "fetching an arm64 Python, a cross compiler and qemu (once)"
  arm64=(-o APT::Architecture=arm64 -o APT::Architectures=arm64)
  apt arm "$PWD/arm/status" "${arm64[@]}" update
  apt arm "$PWD/arm/status" "${arm64[@]}" --download-only install \
    python3 libstdc++6 libgomp1 zlib1g libc6-dev
  apt host /var/lib/dpkg/status update
  # What is installed already comes again: all of it is to lie in the folder.
  apt host /var/lib/dpkg/status --download-only --reinstall install \
    qemu-user-static gcc-aarch64-linux-gnu binutils-aarch64-linux-gnu
  for package in arm/cache/archives/*.deb; do dpkg-deb -x "$package" root; done
  for package in host/cache/archives/*.deb; do dpkg-deb -x "$package" tools; done
  rm -rf arm host
  version=$(basename "$(ls root/usr/bin/python3.*[0-9])")
  platforms=()
  for glibc in 2_28 2_27 2_17; do platforms+=(--platform "manylinux_${glibc}_aarch64"); done
  "$python" -m pip install --quiet --disable-pip-version-check --target site --only-binary=:all: \
    "${platforms[@]}" --platform manylinux2014_aarch64 --python-version "${version#python}" \
    -c "$checkout/constraints.txt" ai-edge-litert numpy opencv-python-headless flatbuffers PyYAML tqdm
  # What LiteRT asks for the processor's kind: qemu shows it this machine's, on which it crashes.
  mkdir -p root/proc
  printf '%s\n' 'processor : 0' 'Features : fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid' \
    'CPU implementer : 0x41' 'CPU architecture: 8' 'CPU variant : 0x0' 'CPU part : 0xd08' \
    'CPU revision : 3' '' > root/proc/cpuinfo # a Cortex-A72, as on a Raspberry Pi 4
  echo "$pins" > .prepared
fi
rm -rf package
mkdir package
cp -r "$checkout/shuffleseg_core" package/
rm -f package/shuffleseg_core/native/*.so
compiler=$(ls tools/usr/bin/aarch64-linux-gnu-gcc-[0-9]* | head -1)
crc=$("$python" -c 'import sys, zlib; print(zlib.crc32(b"".join(open(f, "rb").read() for f in sys.argv[1:])))' \
  package/shuffleseg_core/native/*.c)
libraries=$(printf "%s:" "$PWD"/tools/usr/lib/*-linux-gnu)
LD_LIBRARY_PATH=$libraries "$compiler" --sysroot="$PWD/root" -B tools/usr/bin/ \
  -shared -fPIC -O3 -ffp-contract=off -DSOURCES_CRC="${crc}LL" -nostdlib package/shuffleseg_core/native/*.c \
  -o package/shuffleseg_core/native/compiled.so
