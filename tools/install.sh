# Installing and uninstalling: sourced by build.sh, which has the verbs and the variables.

parse_directories() { # leaves what is no directory in REST
  CNI_BIN=/opt/cni/bin CNI_CONF=/etc/cni/net.d REST=()
  while [ $# -gt 0 ]; do
    case $1 in
      --cni-bin) CNI_BIN=${2:?--cni-bin needs a directory} && shift 2 ;;
      --cni-conf) CNI_CONF=${2:?--cni-conf needs a directory} && shift 2 ;;
      *) REST+=("$1") && shift ;;
    esac
  done
}

install_files() {
  need_root install
  parse_directories "$@"
  [ ${#REST[@]} = 0 ] || die "install: unknown option ${REST[0]}; see ./build.sh help"
  build
  say "install the plugins into $CNI_BIN"
  mkdir -p "$CNI_BIN" "$CNI_CONF" /etc/fairlead
  local plugin loopback=yes old
  # containerd's CRI plugin wants a plugin of this name, whoever made it. An old one of ours is no reason to keep it.
  if [ -e "$CNI_BIN/loopback" ] && ! is_fairlead "$CNI_BIN/loopback"; then loopback=no; fi
  old=$(running_daemons)
  # Copy aside and rename: a plugin that runs at this moment keeps its file.
  cp "$BIN/fairlead" "$CNI_BIN/.fairlead.new"
  mv -f "$CNI_BIN/.fairlead.new" "$CNI_BIN/fairlead"
  for plugin in "${PLUGINS[@]}"; do ln -f "$CNI_BIN/fairlead" "$CNI_BIN/$plugin"; done
  if [ $loopback = yes ]; then ln -f "$CNI_BIN/fairlead" "$CNI_BIN/loopback"; fi
  ln -sfn "$CNI_BIN/fairlead" /usr/local/bin/fairlead
  install_manual
  install_sample conf/server.yaml /etc/fairlead/server.yaml
  install_sample conf/agent.yaml /etc/fairlead/agent.yaml
  install_units
  say_what_to_start "$old"
}

# One of ours, of this build or another: the runtime inside is told under which name it was compiled.
is_fairlead() { [ -f "$1" ] && LC_ALL=C grep -qaF '/$bunfs/root/fairlead' "$1"; }

install_units() {
  [ -d /etc/systemd/system ] || return 0
  local unit
  for unit in "${UNITS[@]}"; do install -m 0644 "conf/$unit.service" "/etc/systemd/system/$unit.service"; done
}

say_what_to_start() { # OLD: daemons that ran before, a line each
  if [ -n "$1" ]; then
    say "these still run the build that was installed before; containers lose nothing by a restart:"
    printf '%s\n' "$1" >&2
    if has_systemd && systemctl --quiet is-active "${UNITS[@]}"; then
      say "restart them with: systemctl daemon-reload && systemctl restart ${UNITS[*]}"
    else
      say "restart them: end them, and start them again as you started them"
    fi
  elif [ -d /etc/systemd/system ]; then
    say "start them with: systemctl enable --now ${UNITS[*]}   (or, in a terminal: fairlead dev)"
  else
    say "start it with: fairlead dev   (or fairlead server and fairlead agent, under your supervisor)"
  fi
}

has_systemd() { [ -d /run/systemd/system ]; }

our_pids() { # of CNI_BIN, of this build or an earlier one
  local exe pid target
  for exe in /proc/[0-9]*/exe; do
    target=$(readlink "$exe" 2>/dev/null) || continue
    pid=${exe#/proc/} pid=${pid%/exe}
    case ${target% (deleted)} in "$CNI_BIN"/fairlead | "$CNI_BIN"/fairlead-* | "$CNI_BIN"/.fairlead.new) echo "$pid" ;; esac
  done
}

command_of() { tr '\0' ' ' <"/proc/$1/cmdline" 2>/dev/null; }

running_daemons() { # a line each: PID COMMAND LINE. Not their children, nor what an agent that has ended leaves for some seconds.
  local pid parent command found
  found=" $(our_pids | tr '\n' ' ') "
  for pid in $found; do
    parent=$(awk '$1 == "PPid:" { print $2 }' "/proc/$pid/status" 2>/dev/null) || continue
    case $found in *" $parent "*) continue ;; esac
    command=$(command_of "$pid") || continue
    case $command in *" name-server "*) continue ;; esac
    printf '  %s %s\n' "$pid" "$command"
  done
}

live_attachments() { # host ends say whose they are by their alias, macvlans by the runtime's cache
  local file alias
  for file in /sys/class/net/*/ifalias; do
    alias=$(cat "$file" 2>/dev/null) || continue
    case $alias in fairlead:*/*) printf '  %s %s\n' "$(basename "${file%/ifalias}")" "${alias#fairlead:}" ;; esac
  done
  grep -ls '"type": *"fairlead-macvlan"' /var/lib/cni/results/* 2>/dev/null | sed 's#^#  #' || true
}

# Where man looks, and where each shell looks for completions. A shell that comes later finds its own.
MAN_DIR=/usr/local/share/man/man1
COMPLETIONS=(bash:/usr/local/share/bash-completion/completions/fairlead zsh:/usr/local/share/zsh/site-functions/_fairlead
  fish:/etc/fish/completions/fairlead.fish)

install_manual() {
  local one file
  say "install manual pages into $MAN_DIR, and completions for bash, zsh and fish"
  "$BIN/fairlead" help --man "$MAN_DIR" >/dev/null
  for one in "${COMPLETIONS[@]}"; do
    file=${one#*:}
    mkdir -p "${file%/*}"
    "$BIN/fairlead" completion "${one%%:*}" >"$file"
    chmod 0644 "$file"
  done
}

uninstall_manual() {
  local one
  rm -f "$MAN_DIR"/fairlead.1 "$MAN_DIR"/fairlead-*.1
  for one in "${COMPLETIONS[@]}"; do rm -f "${one#*:}"; done
}

install_sample() { # never over a file that somebody may have changed
  if [ -e "$2" ]; then say "kept $2"; else install -m 0644 "$1" "$2" && say "installed $2"; fi
}

remove_written_conflists() { # those that the agent wrote: they name plugins that are gone
  local file
  for file in "$CNI_CONF"/8[05]-fairlead-*.conflist; do
    if grep -qs '^  "fairlead": {$' "$file" && grep -qs '^    "networkId": ' "$file"; then rm -f "$file"; fi
  done
}

uninstall() {
  need_root uninstall
  parse_directories "$@"
  local force=no purge=no option
  for option in "${REST[@]}"; do
    case $option in
      --force) force=yes ;;
      --purge) purge=yes ;;
      *) die "uninstall: unknown option $option; see ./build.sh help" ;;
    esac
  done
  [ $force = yes ] || refuse_while_alive
  end_daemons
  if [ $purge = yes ]; then purge; fi
  remove_installed_files
  if [ $purge = no ]; then
    say "left in place: leases in /var/lib/fairlead, bridges and firewall tables, and any configuration that you changed"
    say "to take these away, too: ./build.sh install && ./build.sh uninstall --purge"
  fi
}

refuse_while_alive() {
  local daemons attachments
  daemons=$(running_daemons) attachments=$(live_attachments)
  [ -n "$daemons$attachments" ] || return 0
  if [ -n "$daemons" ]; then
    say "these daemons run:"
    printf '%s\n' "$daemons" >&2
  fi
  if [ -n "$attachments" ]; then
    say "these containers are attached, and their runtimes need the plugins to detach them:"
    printf '%s\n' "$attachments" >&2
  fi
  die "uninstall: nothing was removed; remove the containers and stop the daemons first, or add --force"
}

end_daemons() {
  if has_systemd; then systemctl --quiet disable --now "${UNITS[@]}" 2>/dev/null || true; fi
  local pid rest waited
  while read -r pid rest; do
    [ -n "$pid" ] || continue
    say "end $pid: $rest"
    kill "$pid" 2>/dev/null || continue
    for waited in $(seq 150); do [ -d "/proc/$pid" ] && sleep 0.1 || break; done
    [ ! -d "/proc/$pid" ] || say "$pid has not ended after ${waited} tenths of a second"
  done <<<"$(running_daemons)"
  for pid in $(our_pids); do
    case $(command_of "$pid" || true) in *" name-server "*) kill "$pid" 2>/dev/null || true ;; esac
  done
}

purge() { # what is in the kernel, by the command that knows its marks; then leases, sockets and configuration
  say "remove links, bridges, firewall tables, and settings that were changed"
  "$CNI_BIN/fairlead" purge --force >&2 || die "uninstall: purge failed, as it says above; nothing else was removed"
  rm -rf /run/fairlead /var/lib/fairlead /etc/fairlead
}

remove_installed_files() {
  local plugin unit sample
  say "remove the plugins from $CNI_BIN"
  if is_fairlead "$CNI_BIN/loopback"; then rm -f "$CNI_BIN/loopback"; fi
  for plugin in fairlead "${PLUGINS[@]}"; do rm -f "$CNI_BIN/$plugin"; done
  rm -f "$CNI_BIN/.fairlead.new" /usr/local/bin/fairlead
  uninstall_manual
  for unit in "${UNITS[@]}"; do rm -f "/etc/systemd/system/$unit.service"; done
  # The sample that version 0.1 installed.
  if cmp -s conf/10-fairlead.conflist "$CNI_CONF/10-fairlead.conflist"; then rm -f "$CNI_CONF/10-fairlead.conflist"; fi
  for sample in server.yaml agent.yaml; do
    if cmp -s "conf/$sample" "/etc/fairlead/$sample"; then rm -f "/etc/fairlead/$sample"; fi
  done
  rmdir /etc/fairlead 2>/dev/null || true
  remove_written_conflists
}
