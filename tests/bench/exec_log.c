/* A session's execs as fast as the machine can: a program that executes itself.
 *
 *   exec_log LEFT EVERY_US [BEGAN_NS]   execs itself LEFT times, not faster than one in EVERY_US microseconds
 *                                       (0: as fast as it can), then prints how many and the seconds it took
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static long long now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000000000 + now.tv_nsec;
}

int main(int argc, char** argv) {
    if (argc != 3 && argc != 5) {
        fprintf(stderr, "usage: exec_log COUNT EVERY_US\n");
        return 2;
    }
    const long total = argc == 5 ? atol(argv[4]) : atol(argv[1]);
    const long left = atol(argv[1]), every_us = atol(argv[2]);
    const long long began = argc == 5 ? atoll(argv[3]) : now_ns();
    if (left == 0) {
        printf("{\"execs\": %ld, \"seconds\": %.3f}\n", total, (double)(now_ns() - began) / 1e9);
        return 0;
    }
    const long long early = began + (total - left) * every_us * 1000 - now_ns();
    if (early > 0) usleep((useconds_t)(early / 1000));
    char less[24], since[24], all[24];
    snprintf(less, sizeof less, "%ld", left - 1);
    snprintf(since, sizeof since, "%lld", began);
    snprintf(all, sizeof all, "%ld", total);
    execl("/proc/self/exe", argv[0], less, argv[2], since, all, (char*)NULL);
    return 1;
}
