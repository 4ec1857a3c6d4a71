// escortctl: the command-line client (contract §2).
#include "escortctl/command.h"

#include <csignal>
#include <ctime>
#include <exception>
#include <iostream>
#include <unistd.h>

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_DFL);
    const escort::ctl::Output output{std::cout, std::cerr, ::isatty(STDOUT_FILENO) == 1, std::time(nullptr)};
    try {
        return escort::ctl::run({argv + 1, argv + argc}, output);
    } catch (const std::exception& error) {
        std::cerr << "escortctl: internal error: " << error.what() << '\n';
        return 1;
    }
}
