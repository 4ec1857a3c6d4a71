if [ "$1" -eq 0 ]; then
    if [ -d /run/systemd/system ]; then
        systemctl --no-reload disable --now escort-courier.service escortd.service
    fi
    escortd --unmask-user-managers || :
fi
