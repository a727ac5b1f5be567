"""Parameter services of a node that goes on with its other work while a new value is prepared."""

import threading

from rcl_interfaces.msg import SetParametersResult
from rclpy.parameter import Parameter
from rclpy.parameter_service import ParameterService
from rclpy.task import Future


class PatientParameterService(ParameterService):
    """rclpy's services, which call `prepare(steps)` on a thread before they set parameters.

    steps is a list of lists of rclpy.parameter.Parameter, each set at once; `done()` is called when
    all were. What is wrong with a value may come out when it is set. Meanwhile the executor serves
    all that is not in the node's default callback group. The node is made with
    start_parameter_services=False.
    """

    def __init__(self, node, prepare, done):
        self._prepare = prepare
        self._done = done
        super().__init__(node)

    async def _set_parameters_callback(self, request, response):
        try:
            await self._prepared([[one] for one in _parameters(request)])
            return super()._set_parameters_callback(request, response)
        except Exception as error:  # which would end the node
            response.results = [_refusal(error) for _ in request.parameters]
            return response
        finally:
            self._done()

    async def _set_parameters_atomically_callback(self, request, response):
        try:
            await self._prepared([_parameters(request)])
            return super()._set_parameters_atomically_callback(request, response)
        except Exception as error:
            response.result = _refusal(error)
            return response
        finally:
            self._done()

    async def _prepared(self, steps):
        done = Future(executor=self._get_node().executor)
        done.add_done_callback(lambda _: None)  # a task of the executor, which wakes it

        def prepare():
            try:
                self._prepare(steps)
            finally:
                done.set_result(None)

        threading.Thread(target=prepare, daemon=True).start()
        await done


def _parameters(request):
    return [Parameter.from_parameter_msg(message) for message in request.parameters]


def _refusal(error):
    return SetParametersResult(successful=False, reason=" ".join(str(error).split()))
