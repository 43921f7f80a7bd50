# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Completion of kexec for bash. The options are those that the kexec at hand tells by --help;
# tests/cli/test_completion.py compares the values below with the manual page.

# The options of program $1, a line each: "LETTER:NAME:VALUE", of which the first and last may be
# empty.
_kexec_options() {
	PATH=$PATH:/usr/sbin:/sbin "$1" --help 2> /dev/null |
		sed -n 's/^  \(-\(.\),\|   \) --\([a-z0-9-]*\)\(="\{0,1\}\([A-Z]*\).*\)\{0,1\}\( .*\)\{0,1\}$/\2:\3:\5/p'
}

# The values of option $1, if they are words; "FILE" or "DIR" if they are that.
_kexec_values() {
	case $1 in
	--initrd | --ramdisk | --dtb | --module | --addon) echo FILE ;;
	--host-root | --boot-root) echo DIR ;;
	--export) echo vmlinux elf bzimage ;;
	--payload) echo elf gzip bzip2 lzma xz lzo lz4 zstd ;;
	--output | -o) echo FILE ;;
	--enter) echo auto direct 64 32 16 pvh ;;
	--subarch) echo pc lguest xen intel-mid ce4100 ;;
	--initrd-unpack | --backup) echo auto yes no ;;
	--digest) echo crc32c sha256 none ;;
	--on-failure) echo reset halt ;;
	--serial) echo ttyS0 ttyS1 ;;
	--serial-baud) echo 9600 19200 38400 57600 115200 ;;
	--rehearse) echo vm ;;
	--type | -t) echo bzImage bzImage64 multiboot2-x86 multiboot-x86 elf-x86_64 elf-x86 uki ;;
	esac
}

# The boot entries by those ids that mean nothing to a shell: they are foreign text.
_kexec_entries() {
	PATH=$PATH:/usr/sbin:/sbin "$1" --list 2> /dev/null |
		sed -n 's/^[* ][s ] [a-z]* *\([A-Za-z0-9._+:-][A-Za-z0-9._+:@-]*\)$/@\1/p; $a@default\n@saved'
}

_kexec_files() {
	compopt -o filenames 2> /dev/null
	mapfile -t COMPREPLY < <(compgen "$1" -- "$2")
}

_kexec() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} options values equals=

	# "=" is a word of its own here.
	if [[ $cur == = ]]; then
		cur=
		equals=yes
	elif [[ $prev == = ]]; then
		prev=${COMP_WORDS[COMP_CWORD - 2]}
		equals=yes
	fi
	COMPREPLY=()
	options=$(_kexec_options "$1")
	if [[ $prev == --rehearse && $equals ]]; then
		# The only one whose value may be left out: it is never the next word.
		mapfile -t COMPREPLY < <(compgen -W "$(_kexec_values "$prev")" -- "$cur")
	elif [[ $prev == -[to] ]] || { [[ $prev == --* ]] && grep -q ":${prev#--}:." <<< "$options"; }; then
		values=$(_kexec_values "$prev")
		case $values in
		FILE) _kexec_files -f "$cur" ;;
		DIR) _kexec_files -d "$cur" ;;
		*) mapfile -t COMPREPLY < <(compgen -W "$values" -- "$cur") ;;
		esac
	elif [[ $cur == -* ]]; then
		values=$(sed 's/^\(.*\):\(.*\):\(..*\)$/--\2=/; s/^\(.*\):\(.*\):$/--\2/' <<< "$options")
		mapfile -t COMPREPLY < <(compgen -W "$values" -- "$cur")
		[[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2> /dev/null
	elif [[ $cur == @* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_kexec_entries "$1")" -- "$cur")
	else
		_kexec_files -f "$cur"
	fi
	return 0
}

complete -F _kexec kexec
